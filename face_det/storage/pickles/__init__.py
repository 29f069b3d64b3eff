"""Loads pickles that hold nothing but data, including those of older scikit-learn and XGBoost versions."""
