"""How often verdicts err and intervals hold, by simulation:  python bench/statistics.py [--only …]

Prints the tables of docs/statistics.md. What is simulated stands in bench/simulations/, what is
tested are the project's own functions.
"""

import importlib
import sys
from pathlib import Path

# Python puts a script's folder first on its path, where this file would stand for the standard
# library's module of the same name: last, it does not.
FOLDER = Path(__file__).resolve().parent
others = [folder for folder in sys.path if Path(folder).resolve() != FOLDER]
sys.path[:] = [*others, str(FOLDER)]

if __name__ == "statistics":  # another script of this folder imports the standard library's
    del sys.modules[__name__]
    importlib.import_module(__name__)

if __name__ == "__main__":
    importlib.import_module("simulations.command").main()
