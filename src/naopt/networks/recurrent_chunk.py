"""The recurrent cell over a whole chunk of text, forward and backward, as one operation of autograd.

Time is spent in few and large matrix products:

* the input's part of the first product is computed for all steps at once;
* nodes that read the same state share one product, with their weights side by side;
* the backward loop over time computes gradients of states and products only; those of the weights are one product
  each over all steps, after it.

The element-wise rest works in place in buffers that outlive the chunk. What the gradients of a step are multiplied
by does not depend on them, and is computed for several steps at once.

Shapes: T steps, B sequences, I inputs, H units, k nodes of a group, P parts of a node's product (2: gate and value; 1:
value).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from naopt.networks.recurrent_activations import activations
from naopt.networks.recurrent_schedule import FIRST, Schedule
from naopt.networks.recurrent_workspace import GroupStep, Step, Workspace, WorkspacePool
from naopt.products import times_transposed


def recur(
    pool: WorkspacePool,
    inputs: Tensor,
    hidden: Tensor,
    mask: Tensor | None,
    input_weight: Tensor,
    state_weight: Tensor,
    group_weights: Sequence[Tensor],
) -> Tensor:
    """All steps of a cell. Autograd refuses second derivatives with an error.

    Args:
        pool: buffers, with the cell's schedule, gated (highway) or not.
        inputs: ``(T, B, I)``, masked.
        hidden: ``(B, H)``, output of the step before.
        mask: ``(B, H)`` or None; what each product reads of states is multiplied by it.
        input_weight: ``(I, P H)``.
        state_weight: ``(H, P H)``.
        group_weights: for each group of the schedule ``(H, k P H)``; node after node, gate before value.

    Returns:
        ``(T, B, H)``, the outputs.
    """
    arguments = inputs, hidden, mask, input_weight, state_weight, *group_weights
    outputs: Tensor = Recurrence.apply(torch.is_grad_enabled(), pool, *arguments)  # type: ignore[no-untyped-call]
    return outputs


class Recurrence(torch.autograd.Function):
    """All steps of a cell.

    ``apply`` takes what ``recur`` takes, and before it whether to keep what the backward pass needs.
    """

    @staticmethod
    def forward(
        ctx: Any,
        keep: bool,
        pool: WorkspacePool,
        inputs: Tensor,
        hidden: Tensor,
        mask: Tensor | None,
        input_weight: Tensor,
        state_weight: Tensor,
        *group_weights: Tensor,
    ) -> Tensor:
        """See the class."""
        workspace = pool.take(inputs.shape[0] if keep else 1, inputs.shape[1], inputs)
        outputs = _run(keep, workspace, pool, inputs, hidden, mask, input_weight, state_weight, *group_weights)
        if keep:
            ctx.pool, ctx.workspace = pool, workspace
            ctx.save_for_backward(inputs, hidden, mask, outputs, input_weight, state_weight, *group_weights)
        else:
            pool.give_back(workspace)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """See the class."""
        inputs, hidden, mask, outputs, input_weight, state_weight, *group_weights = ctx.saved_tensors
        pool, workspace, ctx.workspace = ctx.pool, ctx.workspace, None
        steps, batch, _ = inputs.shape
        if workspace is None:
            # The first backward pass overwrote it; this is a further one, through a retained graph.
            workspace = pool.take(steps, batch, inputs)
            _run(True, workspace, pool, inputs, hidden, mask, input_weight, state_weight, *group_weights)
        share = 1 / len(pool.schedule.outputs)
        arriving = (upstream * share).unbind(0)
        weights = [state_weight, *group_weights]
        before = torch.cat([hidden[None], outputs[:-1]])
        returned, one = torch.zeros_like(hidden), hidden.new_ones(())
        for step in range(steps - 1, -1, -1):
            if step == steps - 1 or (step + 1) % workspace.block == 0:
                _factors(workspace, pool.schedule, before, one, step + 1)
            torch.add(arriving[step], returned, alpha=share, out=returned)
            _spread(workspace, pool.schedule, returned)
            _retreat(workspace.views[step], returned, mask, weights)
        products = [product[:steps].view(steps * batch, -1) for product in workspace.products]
        reads = [read[:steps].flatten(0, 1) for read in workspace.reads]
        gradients = [times_transposed(read.t(), product.t()) for read, product in zip(reads, products, strict=True)]
        of_input_weight = times_transposed(inputs.flatten(0, 1).t(), products[0].t())
        of_inputs = times_transposed(products[0], input_weight).view_as(inputs) if ctx.needs_input_grad[2] else None
        pool.give_back(workspace)
        return None, None, of_inputs, returned, None, of_input_weight, *gradients


def _run(
    keep: bool,
    workspace: Workspace,
    pool: WorkspacePool,
    inputs: Tensor,
    hidden: Tensor,
    mask: Tensor | None,
    input_weight: Tensor,
    *state_weights: Tensor,
) -> Tensor:
    """The forward pass; unless what it computes is to be kept, all steps use the buffers of the first."""
    steps, batch, _ = inputs.shape
    projected = times_transposed(inputs.flatten(0, 1), input_weight.t()).view(steps, batch, -1)
    outputs = inputs.new_empty(steps, batch, pool.units)
    weights = [weight.t() for weight in state_weights]
    previous = hidden
    for step, (drive, output) in enumerate(zip(projected.unbind(0), outputs.unbind(0), strict=True)):
        views = workspace.views[step if keep else 0]
        _advance(views, previous, drive, mask, weights)
        _mean(views, pool.schedule, output)
        previous = output
    return outputs


def _masked(state: Tensor, mask: Tensor | None, out: Tensor) -> Tensor:
    return out.copy_(state) if mask is None else torch.mul(state, mask, out=out)


def _advance(views: Step, previous: Tensor, drive: Tensor, mask: Tensor | None, weights: list[Tensor]) -> None:
    """One step forward: fills the step's buffers from the last output and the projected input ``(B, P H)``."""
    first = views.first
    _enter(first, times_transposed(_masked(previous, mask, first.read), weights[0]).add_(drive), previous[:, None])
    for view, weight in zip(views.groups, weights[1:], strict=True):
        _enter(view, times_transposed(_masked(view.source, mask, view.read), weight), view.previous)


def _enter(view: GroupStep, product: Tensor, previous: Tensor) -> None:
    """The states of a group, from its product ``(B, k P H)`` and what it reads, ``(B, 1, H)``."""
    parts = product.view_as(view.product).unbind(2)
    for part in view.parts:
        part.write(parts[-1])
    if view.gate is not None:
        torch.sigmoid(parts[0], out=view.gate)
        torch.lerp(previous, view.value, view.gate, out=view.states)


def _mean(views: Step, schedule: Schedule, out: Tensor) -> None:
    """Mean ``(B, H)`` of the output nodes' states."""
    torch.mean(views.states[list(schedule.outputs)] if views.outputs is None else views.outputs, 0, out=out)


def _spread(workspace: Workspace, schedule: Schedule, gradient: Tensor) -> None:
    """Gives ``(B, H)`` as gradient to all output nodes, zero to the other states."""
    if workspace.output_slopes is not None:
        workspace.slopes[0].zero_()
        workspace.output_slopes.copy_(gradient)
    else:
        workspace.slopes.zero_()
        workspace.slopes[list(schedule.outputs)] = gradient


def _factors(workspace: Workspace, schedule: Schedule, before: Tensor, one: Tensor, stop: int) -> None:
    """Turns gates and values of the block of steps that ends before ``stop`` into what gradients are multiplied by.

    With gate g = sigmoid(c), value v = a(z) and source s the state is s + g (v - s). Its gradient reaches c times
    (v - s) g (1 - g), z times g a'(z), and s times 1 - g. Without gates the state is v, and the factor a'(z).
    """
    start = (stop - 1) // workspace.block * workspace.block
    states = workspace.states[start:stop]
    for group, product in zip((FIRST, *schedule.groups), workspace.products, strict=True):
        kept = product[start:stop].unbind(3)
        own = states[:, group.first : group.last].transpose(1, 2)
        gated = workspace.left is not None
        value, upstream = (kept[1], kept[0]) if gated else (own, one.expand_as(own))
        for run in group.runs:
            places = (slice(None), slice(None), slice(run.start, run.stop))
            activations.get(run.activation).pull(upstream[places], value[places], kept[-1][places])
        if workspace.left is not None:
            left = workspace.left[: stop - start, group.first : group.last].transpose(1, 2)
            source = before[start:stop] if group is FIRST else states[:, group.source]
            torch.sub(one, kept[0], out=left)
            torch.sub(own, source[:, :, None], out=kept[0]).mul_(left)


def _retreat(views: Step, returned: Tensor, mask: Tensor | None, weights: list[Tensor]) -> None:
    """One step backward: from the gradients of all states to that of the output before, ``(B, H)``.

    Leaves the gradients of the step's products where their factors were.
    """
    for view, weight in zip(reversed(views.groups), reversed(weights[1:]), strict=True):
        _reach(view, view.of_source, mask, weight)
    _reach(views.first, returned.zero_(), mask, weights[0])


def _reach(view: GroupStep, of_source: Tensor, mask: Tensor | None, weight: Tensor) -> None:
    """Adds to the gradient of a group's source ``(B, H)`` what comes from the group's states."""
    view.product.mul_(view.slopes)
    back = times_transposed(view.flat, weight)
    if mask is None:
        of_source.add_(back)
    else:
        of_source.addcmul_(back, mask)
    for gradient, left in view.through:
        of_source.addcmul_(gradient, left)
