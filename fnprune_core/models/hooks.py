"""Hooks on output projections, always as context managers. The only file that registers any."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

InputEdit = Callable[[int, Tensor], Tensor]
OutputEdit = Callable[[int, Tensor, Tensor], Tensor]


@contextmanager
def watch_inputs(
    modules: Sequence[nn.Module], on_input: Callable[[int, Tensor], None]
) -> Iterator[None]:
    """Call ``on_input(layer, x)`` with each module's input, (…, units), while the block runs."""

    def hook_for(layer: int) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def hook(module: nn.Module, args: tuple[Any, ...]) -> None:
            on_input(layer, args[0])

        return hook

    with ExitStack() as stack:
        for layer, module in enumerate(modules):
            handle = module.register_forward_pre_hook(hook_for(layer))
            stack.callback(handle.remove)
        yield


@contextmanager
def watch_outputs(
    modules: Sequence[nn.Module], on_output: Callable[[int, Tensor], None]
) -> Iterator[None]:
    """Call ``on_output(index, y)`` with each module's output while the block runs."""

    def watch(index: int, x: Tensor, y: Tensor) -> Tensor:
        on_output(index, y)
        return y

    with edit_projections(modules, edit_output=watch):
        yield


@contextmanager
def edit_projections(
    modules: Sequence[nn.Module],
    *,
    edit_input: InputEdit | None = None,
    edit_output: OutputEdit | None = None,
) -> Iterator[None]:
    """Replace the input and the output of each module while the block runs.

    Parameters
    ----------
    modules : sequence of Module
        One per layer.
    edit_input : callable, optional
        ``edit_input(layer, x)`` returns the new input, of the same shape.
    edit_output : callable, optional
        ``edit_output(layer, x, y)`` returns the new output, given the (new) input too.
    """

    def input_hook(layer: int) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Any, ...]]:
        def hook(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
            assert edit_input is not None
            return (edit_input(layer, args[0]), *args[1:])

        return hook

    def output_hook(layer: int) -> Callable[[nn.Module, tuple[Any, ...], Tensor], Tensor]:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
            assert edit_output is not None
            return edit_output(layer, args[0], output)

        return hook

    with ExitStack() as stack:
        for layer, module in enumerate(modules):
            if edit_input is not None:
                stack.callback(module.register_forward_pre_hook(input_hook(layer)).remove)
            if edit_output is not None:
                stack.callback(module.register_forward_hook(output_hook(layer)).remove)
        yield
