"""Ways of storing weights in a GGUF file, and which type each matrix gets by them."""

import ctypes
from dataclasses import dataclass

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from numpy.typing import NDArray

from fnprune_core.errors import SettingsError
from fnprune_core.inputs.tables import row_named

#: What installs llama.cpp as a Python package.
INSTALL = "pip install 'fnprune[gguf]'"

#: What llama.cpp stores a matrix as whose rows are no multiple of a type's block.
_FALLBACKS = {Type.Q4_K: Type.Q5_0, Type.Q6_K: Type.Q8_0}


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightType:
    """A way of storing weights; vectors are always float32, as llama.cpp wants them.

    Parameters
    ----------
    quantisation : GGMLQuantizationType
        Of most matrices.
    fine : GGMLQuantizationType
        Of those that llama.cpp stores more finely: the output, and values and down projections of
        some layers.
    bytes_each : float
        Of a weight, about.
    tolerance : float
        How much of the logits' size the file may change, by rounding alone.
    noise : float
        How many nats a log-probability of llama.cpp may differ from that of the file's own
        weights: it rounds activations, too.
    """

    quantisation: Type
    fine: Type
    file_type: gguf.LlamaFileType
    description: str
    bytes_each: float
    tolerance: float
    noise: float


WEIGHT_TYPES: dict[str, WeightType] = {
    "F16": WeightType(
        quantisation=Type.F16,
        fine=Type.F16,
        file_type=gguf.LlamaFileType.MOSTLY_F16,
        description="half precision, 2 bytes a weight",
        bytes_each=2.0,
        tolerance=0.01,
        noise=0.02,
    ),
    "F32": WeightType(
        quantisation=Type.F32,
        fine=Type.F32,
        file_type=gguf.LlamaFileType.ALL_F32,
        description="single precision, 4 bytes a weight",
        bytes_each=4.0,
        tolerance=1e-4,
        noise=1e-3,
    ),
    "Q8_0": WeightType(
        quantisation=Type.Q8_0,
        fine=Type.Q8_0,
        file_type=gguf.LlamaFileType.MOSTLY_Q8_0,
        description="8 bits and a scale for 32 weights, 1.06 bytes a weight",
        bytes_each=34 / 32,
        tolerance=0.1,
        noise=0.2,
    ),
    "Q4_K_M": WeightType(
        quantisation=Type.Q4_K,
        fine=Type.Q6_K,
        file_type=gguf.LlamaFileType.MOSTLY_Q4_K_M,
        description="4 bits, 6 where it matters, about 0.6 bytes a weight; rows that are no "
        "multiple of 256 take 5 and 8 bits",
        bytes_each=0.62,
        tolerance=0.5,
        noise=0.2,
    ),
}


def weight_type(name: str) -> WeightType:
    """Return the weight type with this name; the error lists those there are."""
    also = "; llama-quantize makes all others from F16"
    return row_named(WEIGHT_TYPES, name, "weight type", also=also)


def gguf_name(weights: str) -> str:
    """Return the name of the file in an export of the form gguf."""
    return f"model-{weights}.gguf"


def stored_type(
    weights: str, name: str, shape: tuple[int, ...], *, n_layers: int, has_output: bool
) -> Type:
    """Return the type in which llama.cpp stores a tensor under a weight type.

    Parameters
    ----------
    name : str
        Of the tensor, as llama.cpp names it.
    shape : tuple of int
        Rows and columns; of one number for a vector.
    has_output : bool
        Whether the file has an output matrix of its own; else the embedding serves as one.

    References
    ----------
    llama.cpp, src/llama-quant.cpp: llama_tensor_get_type and its fallbacks.
    """
    row = weight_type(weights)
    if len(shape) == 1:
        return Type.F32
    kind = row.fine if _is_fine(name, n_layers, has_output=has_output) else row.quantisation
    for candidate in (kind, _FALLBACKS.get(kind, kind)):
        if shape[-1] % gguf.GGML_QUANT_SIZES[candidate][0] == 0:
            return candidate
    return Type.F16


def _is_fine(name: str, n_layers: int, *, has_output: bool) -> bool:
    if name == ("output.weight" if has_output else "token_embd.weight"):
        return True
    if not name.endswith(("attn_v.weight", "ffn_down.weight")):
        return False
    layer, eighth = int(name.split(".")[1]), n_layers // 8
    return layer < eighth or layer >= 7 * n_layers // 8 or (layer - eighth) % 3 == 2


def quantised(values: NDArray[np.float32], kind: Type) -> NDArray[np.generic]:
    """Return a tensor's values as a type stores them, rows of bytes where it has blocks.

    Raises
    ------
    SettingsError
        If only llama.cpp itself can make the type, and it is not installed.
    """
    try:
        stored: NDArray[np.generic] = gguf.quants.quantize(values, kind)
    except NotImplementedError:
        return _by_llama_cpp(values, kind)
    return stored


def _by_llama_cpp(values: NDArray[np.float32], kind: Type) -> NDArray[np.uint8]:
    """Return values in a type that the Python package reads and does not write."""
    try:
        from xllamacpp import xllamacpp

        quantise = ctypes.CDLL(xllamacpp.__file__).ggml_quantize_chunk
    except (ImportError, AttributeError) as error:
        raise SettingsError(
            f"Weights of type {kind.name} are made by llama.cpp's own code, which is not here.",
            hint=f"Install it ({INSTALL}), or store the weights as F16, F32 or Q8_0.",
        ) from error
    n_rows, n_columns = values.shape
    block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    stored = np.empty((n_rows, n_columns // block * block_bytes), dtype=np.uint8)
    values = np.ascontiguousarray(values, dtype=np.float32)
    quantise.restype = ctypes.c_size_t
    pointer, count = ctypes.c_void_p, ctypes.c_int64
    quantise.argtypes = [ctypes.c_int, pointer, pointer, count, count, count, pointer]
    n_bytes = quantise(
        int(kind), values.ctypes.data, stored.ctypes.data, 0, n_rows, n_columns, None
    )
    if n_bytes != stored.nbytes:
        raise SettingsError(
            f"llama.cpp wrote {n_bytes} bytes of type {kind.name} where {stored.nbytes} were "
            "expected.",
            hint="Store the weights as F16 and use llama-quantize.",
        )
    return stored
