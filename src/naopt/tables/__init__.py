"""Tables of measured architectures: load, save, import, describe. Imports no torch."""

from naopt.tables.delimited import import_csv
from naopt.tables.files import builtin_tables, load_table, save_table
from naopt.tables.hw_nas import import_hw_nas_bench
from naopt.tables.importers import explain_goals, parse_metric, run_importer, table_importers
from naopt.tables.nasbench101 import import_nasbench101, nasbench101_rows
from naopt.tables.nasbench201 import import_nasbench201
from naopt.tables.surrogate import CrossValidation, NoiseModel, Surrogate
from naopt.tables.table import Table

__all__ = [
    "CrossValidation",
    "NoiseModel",
    "Surrogate",
    "Table",
    "builtin_tables",
    "explain_goals",
    "import_csv",
    "import_hw_nas_bench",
    "import_nasbench101",
    "import_nasbench201",
    "load_table",
    "nasbench101_rows",
    "parse_metric",
    "run_importer",
    "save_table",
    "table_importers",
]
