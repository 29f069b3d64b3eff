"""Pickles that hold data and nothing else, also those of older scikit-learn and XGBoost versions."""
