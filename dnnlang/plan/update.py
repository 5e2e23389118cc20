"""The update of the parameters, after all gradients: clipping, then the optimizer for each parameter."""

from __future__ import annotations

from dataclasses import replace

from dnnlang.plan.ir import Instruction, Plan
from dnnlang.primitives.update import Clip, Update
from dnnlang.primitives.values import Role, Value


def update(plan: Plan) -> Plan:
    """Appends the instructions that change the parameters, and names the optimizer's state."""
    settings = plan.architecture.settings
    instructions = list(plan.updates)  # of running statistics
    gradients = plan.gradients
    if settings.clip_norm is not None and gradients:
        gradients = {n: Value(g.name, g.shape, g.role, g.version + 1) for n, g in gradients.items()}
        inputs, outputs = tuple(plan.gradients.values()), tuple(gradients.values())
        instructions.append(Instruction(Clip(settings.clip_norm), inputs, outputs, None))
    primitive = Update(settings.optimizer)
    state: dict[str, Value] = {}
    for name, gradient in gradients.items():
        parameter = plan.parameters[name]
        kept = [Value(f"{s}/{name}", parameter.shape, Role.STATE) for s in settings.optimizer.state]
        state.update({v.name: v for v in kept})
        new = tuple(Value(v.name, v.shape, v.role, v.version + 1) for v in (parameter, *kept))
        declared = plan.architecture.parameters[name]
        inputs = (parameter, gradient, *kept)
        instructions.append(Instruction(primitive, inputs, new, declared.span, declared.within))
    return replace(plan, updates=tuple(instructions), gradients=gradients, state=state)
