"""The operations of a causal list: a file each, with all that the engine must know of it.

To add one: its file here, its line in `OPERATIONS`, its `GraphBuilder` method, and `csrc/operations/<name>.hpp` with its line in
``table.hpp``.
"""

from genlab.causal.operations.add import Add
from genlab.causal.operations.base import CENTRE, HERE_ALONE, Operation
from genlab.causal.operations.concat_elu import ConcatElu
from genlab.causal.operations.conv import Conv
from genlab.causal.operations.dropout import Dropout
from genlab.causal.operations.gate import Gate, IdentityGate
from genlab.causal.operations.lstm import Lstm
from genlab.causal.operations.relu import Relu
from genlab.causal.operations.sources import Given, Image

OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (Image(), Given(), Conv(), Relu(), Add(), Gate(), IdentityGate(), ConcatElu(), Dropout(), Lstm())
}

__all__ = ["CENTRE", "HERE_ALONE", "OPERATIONS", "Operation"]
