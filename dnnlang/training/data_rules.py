"""The mistakes that data can hold. Readers and columns find them; people read about them with `dnnc explain`."""

from __future__ import annotations

from typing import Final

from dnnlang.diagnostics.diagnostic import rule

SHOWN: Final = 20
"""How many bad rows or cells are listed; the rest are counted."""

UNREADABLE = rule(
    "DNN601",
    "unreadable-data",
    "The data file cannot be read.",
    why="Data are CSV (.csv, .csv.gz) in UTF-8, NumPy archives (.npz) or Parquet (.parquet). The ending says which.",
    wrong="dnnc train iris.dnn iris.xlsx --target species",
    right="dnnc train iris.dnn iris.csv --target species",
    program=False,
)
EMPTY = rule(
    "DNN602",
    "empty-data",
    "The data have no header or no rows.",
    why="The first row of a CSV file names the columns; each row after it is one sample. Nothing can be "
    "learned from none.",
    wrong="(an empty file)",
    right="size,price\n52,141000\n70,188000\n",
    program=False,
)
HEADER = rule(
    "DNN603",
    "bad-header",
    "The header does not name every column exactly once.",
    why="Columns are found by name, when training and again when predicting. A column without a name, or two with the "
    "same name, cannot be. A first row of numbers is taken for a missing header, not for names.",
    wrong="size,size,price\n52,60,141000\n",
    right="size,garden,price\n52,60,141000\n",
    program=False,
)
RAGGED = rule(
    "DNN604",
    "ragged-row",
    "A row has more or fewer cells than the header.",
    why="A comma too many or too few moves every later cell of the row into the wrong column. Nothing is guessed.",
    wrong="size,rooms,price\n52,2\n",
    right="size,rooms,price\n52,2,141000\n",
    program=False,
)
MISSING_VALUE = rule(
    "DNN605",
    "missing-value",
    "A cell is empty.",
    why="A network needs a number in every place. Whether to drop the row or to fill the gap, and with what, changes "
    "the result, so it is for you to decide.",
    wrong="size,rooms,price\n52,,141000\n",
    right="size,rooms,price\n52,2,141000\n",
    program=False,
)
NOT_A_NUMBER = rule(
    "DNN606",
    "cell-not-a-number",
    "A cell that must hold a number holds something else.",
    why="Inputs are numbers. A text column has to be turned into numbers first (for example one column of 0 and 1 for "
    "each value), or left out with `--input`.",
    wrong="size,street,price\n52,Main St,141000\n",
    right="size,on_main_street,price\n52,1,141000\n",
    program=False,
)
NOT_FINITE = rule(
    "DNN607",
    "cell-not-finite",
    "A number is NaN or infinite, or too large for the network's numbers.",
    why="One NaN spreads: every Z, every gradient and then every weight becomes NaN.",
    wrong="size,rooms,price\n52,nan,141000\n",
    right="size,rooms,price\n52,2,141000\n",
    program=False,
)
UNKNOWN_COLUMN = rule(
    "DNN608",
    "unknown-column",
    "A column that was asked for is not in the data.",
    why="Columns are matched by name, so their order may change but their names may not.",
    wrong="dnnc train iris.dnn iris.csv --target specis",
    right="dnnc train iris.dnn iris.csv --target species",
    program=False,
)
COLUMN_COUNT = rule(
    "DNN609",
    "column-count",
    "The number of columns is not the size of the input.",
    why="Each column of the table is one unit of an input: X is (n[0], m), one column of X a row of the table.",
    wrong="input 4          # and a table with 5 columns besides the target",
    right="input 5",
    program=False,
)
TARGET = rule(
    "DNN610",
    "target-does-not-fit",
    "The target columns do not fit the output.",
    why="A target of k classes needs k units (or 1 unit for 2 classes); a target of k numbers needs k units.",
    wrong="layer 1 sigmoid  # and a target column with 3 classes",
    right="layer 3 softmax",
    program=False,
)
UNKNOWN_CLASS = rule(
    "DNN611",
    "unknown-class",
    "The target holds a class that the network was not trained on.",
    why="The network has one output unit for each class of its training data, and none for any other.",
    wrong="species\nviginica\n",
    right="species\nvirginica\n",
    program=False,
)
ROUTING = rule(
    "DNN612",
    "columns-unassigned",
    "It is not said which columns are targets, or which go to which input.",
    why="A table does not say which column is to be predicted, nor which columns belong to which input.",
    wrong="dnnc train iris.dnn iris.csv",
    right="dnnc train iris.dnn iris.csv --target species",
    program=False,
)
SPLIT = rule(
    "DNN613",
    "too-little-data",
    "The data are too few to hold out a part.",
    why="`validation 0.2` holds out a fifth of the rows. At least one row must be held out, and one must remain.",
    wrong="train { validation 0.2 }   # and a table with 1 row",
    right="train { validation 0 }",
    program=False,
)
ARRAYS = rule(
    "DNN614",
    "arrays-do-not-fit",
    "The arrays given to `fit` do not belong together.",
    why="X is (n[0], m) and Y is (n[L], m), or (m,) for class indices: one column a sample, and as many in X as in Y.",
    wrong="network.fit(X, Y)   # X: (4, 150), Y: (3, 149)",
    right="network.fit(X, Y)   # X: (4, 150), Y: (3, 150)",
    program=False,
)
