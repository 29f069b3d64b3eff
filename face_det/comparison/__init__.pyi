from .compare import Comparison as Comparison
from .compare import DetectorSettings as DetectorSettings
from .compare import compare as compare
from .compare import prepare_output as prepare_output
from .report.as_json import comparison_as_json as comparison_as_json
from .report.html import render_html as render_html
from .report.tables import build_tables as build_tables
