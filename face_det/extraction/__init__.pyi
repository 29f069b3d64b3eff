from .output import OUTPUT_JOURNAL as OUTPUT_JOURNAL
from .output import FinishedSource as FinishedSource
from .output import Output as Output
from .output import open_output as open_output
from .output import picture_stem as picture_stem
