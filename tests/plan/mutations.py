"""Corruptions of plans in JSON form. Each takes the file and a source of chance, and says what it did, or None."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

Json = dict[str, Any]
Mutation = Callable[[Json, Random], str | None]

UNARY = "negate exp log1p sqrt abs tanh erf sin cos sign logistic log1pexp sum mean max normalized_exp".split()
BINARY = "add multiply divide power maximum minimum less less_equal equal not_equal logistic_loss".split()
ROLES = "input target parameter statistic state activation mask delta gradient loss".split()


def strip_claims(file: Json) -> None:
    """Without what a plan says about itself: the rest must suffice to find the corruption."""
    for plan in file["plans"]:
        for key in ("memory", "cache"):
            del plan[key]
        for slot in plan["slots"]:
            del slot["offset"]
        for instruction in plan["instructions"]:
            for key in ("in_place", "formula", "kept", "note", "position", "within"):
                del instruction[key]


def _plan(file: Json, random: Random) -> Json:
    return random.choice(file["plans"])


def _steps(plan: Json) -> list[Json]:
    """Instructions, and the members of fused ones: all that have an operation."""
    found = []
    for i in plan["instructions"]:
        found.append(i)
        found += i["attributes"].get("members", ())
    return found


def _some(file: Json, random: Random, fits: Callable[[Json], bool]) -> Json | None:
    fitting = [s for s in _steps(_plan(file, random)) if fits(s)]
    return random.choice(fitting) if fitting else None


def _relabel(plan: Json) -> None:
    """Labels that count, in the parts that they name: otherwise every reordering would be found by its labels."""
    counts = {"F": 0, "B": 0, "U": 0}
    for i in plan["instructions"]:
        letter = i["label"][0]
        counts[letter] += 1
        i["label"] = f"{letter}{counts[letter]}"


# ---------------------------------------------------------------- instructions


def swap_operands(file: Json, random: Random) -> str | None:
    step = _some(file, random, lambda s: len(set(s["inputs"])) > 1)
    if step is None:
        return None
    a, b = random.sample(range(len(step["inputs"])), 2)
    step["inputs"][a], step["inputs"][b] = step["inputs"][b], step["inputs"][a]
    return f"operands {a} and {b} of a {step['operation']} swapped"


def other_operand(file: Json, random: Random) -> str | None:
    plan = _plan(file, random)
    i = random.choice(plan["instructions"])
    if not i["inputs"]:
        return None
    at = random.randrange(len(i["inputs"]))
    shape = plan["values"][i["inputs"][at]]["shape"]
    alike = [n for n, v in enumerate(plan["values"]) if v["shape"] == shape]
    i["inputs"][at] = random.choice(alike if random.random() < 0.8 else range(len(plan["values"])))
    return f"another operand {at} of {i['label']}"


def other_output(file: Json, random: Random) -> str | None:
    plan = _plan(file, random)
    i = random.choice(plan["instructions"])
    i["outputs"][random.randrange(len(i["outputs"]))] = random.randrange(len(plan["values"]))
    return f"another output of {i['label']}"


def drop_instruction(file: Json, random: Random) -> str | None:
    plan = _plan(file, random)
    gone = plan["instructions"].pop(random.randrange(len(plan["instructions"])))
    _relabel(plan)
    return f"{gone['label']} dropped"


def repeat_instruction(file: Json, random: Random) -> str | None:
    plan = _plan(file, random)
    at = random.randrange(len(plan["instructions"]))
    i = plan["instructions"][at]
    plan["instructions"].insert(at, {**i, "attributes": dict(i["attributes"])})
    _relabel(plan)
    return f"{i['label']} twice"


def swap_instructions(file: Json, random: Random) -> str | None:
    """Within a part; neighbours more often."""
    plan = _plan(file, random)
    steps = plan["instructions"]
    a = random.randrange(len(steps))
    b = a + 1 if random.random() < 0.5 else random.randrange(len(steps))
    if b >= len(steps) or a == b or steps[a]["label"][0] != steps[b]["label"][0]:
        return None
    what = f"{steps[a]['label']} and {steps[b]['label']} swapped"
    steps[a], steps[b] = steps[b], steps[a]
    _relabel(plan)
    return what


def move_to_other_part(file: Json, random: Random) -> str | None:
    plan = _plan(file, random)
    letters = [i["label"][0] for i in plan["instructions"]]
    if len(set(letters)) < 2:
        return None
    border = next(n for n in range(1, len(letters)) if letters[n] != letters[n - 1])
    forwards = random.random() < 0.5
    moved = plan["instructions"][border if forwards else border - 1]
    what = f"{moved['label']} in the other part"
    moved["label"] = f"{letters[border - 1] if forwards else letters[border]}0"
    _relabel(plan)
    return what


def reverse_part(file: Json, random: Random) -> str | None:
    plan = _plan(file, random)
    letter = random.choice("FBU")
    places = [n for n, i in enumerate(plan["instructions"]) if i["label"][0] == letter]
    if len(places) < 2:
        return None
    turned = [plan["instructions"][n] for n in reversed(places)]
    for n, i in zip(places, turned, strict=True):
        plan["instructions"][n] = i
    _relabel(plan)
    return f"{letter} backwards"


def drop_accumulation(file: Json, random: Random) -> str | None:
    """The sum so far is left out; or the summand is, and the readers get what was before."""
    plan = _plan(file, random)
    found = [i for i in plan["instructions"] if i["attributes"].get("accumulate")]
    if not found:
        return None
    i = random.choice(found)
    if random.random() < 0.5 and i["operation"] != "map":
        i["attributes"]["accumulate"] = False
        i["inputs"].pop()
        return f"the sum so far left out of {i['label']}"
    _without(plan, i, i["inputs"][-1])
    return f"the summand {i['label']} dropped"


def drop_penalty(file: Json, random: Random) -> str | None:
    plan = _plan(file, random)
    found = [i for i in plan["instructions"] if i["operation"] in ("penalty", "decay", "clip") and i["label"] != "F1"]
    if not found:
        return None
    i = random.choice(found)
    for old, new in zip(i["outputs"], i["inputs"][-len(i["outputs"]) :], strict=True):
        _without(plan, i, new, old)
    return f"{i['label']}, a {i['operation']}, dropped"


def _without(plan: Json, gone: Json, new: int, old: int | None = None) -> None:
    """The instruction leaves, and everybody reads `new` where they read `old`."""
    old = gone["outputs"][0] if old is None else old
    plan["instructions"] = [i for i in plan["instructions"] if i is not gone]
    for i in plan["instructions"]:
        i["inputs"] = [new if n == old else n for n in i["inputs"]]
    for key in ("outputs", "gradients"):
        plan[key] = {name: new if n == old else n for name, n in plan[key].items()}
    plan["loss"] = new if plan["loss"] == old else plan["loss"]
    _relabel(plan)


# ---------------------------------------------------------------- attributes


def flip_flag(file: Json, random: Random) -> str | None:
    step = _some(file, random, lambda s: any(isinstance(v, bool) for v in s["attributes"].values()))
    if step is None:
        return None
    flag = random.choice([k for k, v in step["attributes"].items() if isinstance(v, bool)])
    step["attributes"][flag] = not step["attributes"][flag]
    return f"{flag} of a {step['operation']} flipped"


EXACT = ("rate", "weight", "momentum", "limit")


def other_number(file: Json, random: Random) -> str | None:
    step = _some(file, random, lambda s: any(k in EXACT for k in s["attributes"]))
    if step is None:
        return None
    name = next(k for k in step["attributes"] if k in EXACT)
    old = step["attributes"][name]
    step["attributes"][name] = random.choice([n for n in ("1/3", "1/2", "3/4", "2", "0", "-1") if n != old])
    return f"{name} of a {step['operation']} from {old} to {step['attributes'][name]}"


def other_stream(file: Json, random: Random) -> str | None:
    step = _some(file, random, lambda s: s["operation"] == "mask")
    if step is None:
        return None
    step["attributes"]["node"] += 1
    return "another random stream"


def other_rows(file: Json, random: Random) -> str | None:
    step = _some(file, random, lambda s: s["operation"] in ("slice", "mask", "zeros"))
    if step is None:
        return None
    a = step["attributes"]
    if step["operation"] == "slice":
        key = random.choice(("start", "rows"))
        a[key] = max(0, a[key] + random.choice((-1, 1)))
        return f"{key} of a slice changed"
    a["like"][0] += 1
    return f"another shape of a {step['operation']}"


def rename_variables(file: Json, random: Random) -> str | None:
    step = _some(file, random, lambda s: len(s["attributes"].get("names", ())) > 1)
    if step is None:
        return None
    random.shuffle(step["attributes"]["names"])
    return f"the variables of a {step['operation']} shuffled"


def other_operation(file: Json, random: Random) -> str | None:
    plan = _plan(file, random)
    a, b = random.choice(plan["instructions"]), random.choice(plan["instructions"])
    if a["operation"] == b["operation"] and a["attributes"] == b["attributes"]:
        return None
    a["operation"], a["attributes"] = b["operation"], b["attributes"]
    return f"{a['label']} does what {b['label']} does"


# ---------------------------------------------------------------- expressions


def change_expression(file: Json, random: Random) -> str | None:
    """In one instruction only: its expression is copied, and the copy changed."""
    step = _some(file, random, lambda s: "expr" in s["attributes"] or "optimizer" in s["attributes"])
    if step is None:
        return None
    a = step["attributes"]
    holder, key = a, "expr"
    if "optimizer" in a:
        a["optimizer"] = {
            **a["optimizer"],
            "statements": [dict(each) for each in a["optimizer"]["statements"]],
        }
        holder, key = random.choice(a["optimizer"]["statements"]), "value"
    table = file["expressions"]
    below = _below(table, holder[key])
    places = {old: len(table) + n for n, old in enumerate(below)}
    copies = [
        {**table[n], "args": [places[k] for k in table[n]["args"]]} if "args" in table[n] else dict(table[n])
        for n in below
    ]
    what = _change(copies, len(table), random)
    table += copies
    holder[key] = places[holder[key]]
    return f"in a {step['operation']} {what}" if what else None


def change_expression_of_plan(file: Json, random: Random) -> str | None:
    """Wherever one plan uses it, forward and backward alike: a table of its own, and that is changed."""
    plan, table = _plan(file, random), file["expressions"]
    first = len(table)
    copies = [{**e, "args": [first + n for n in e["args"]]} if "args" in e else dict(e) for e in table]
    what = _change(copies, first, random)
    table += copies
    for step in _steps(plan):
        a = step["attributes"]
        if "expr" in a:
            a["expr"] += first
        if "optimizer" in a:
            statements = [{**each, "value": each["value"] + first} for each in a["optimizer"]["statements"]]
            a["optimizer"] = {**a["optimizer"], "statements": statements}
    return f"in the whole plan {what}" if what else None


def _below(table: list[Json], root: int) -> list[int]:
    found = {root}
    for n in range(root, -1, -1):
        if n in found:
            found.update(table[n].get("args", ()))
    return sorted(found)


def _change(entries: list[Json], first: int, random: Random) -> str | None:
    at = random.randrange(len(entries))
    entry = entries[at]
    op, args = entry["op"], entry.get("args", [])
    if op == "constant":
        old = entry["value"]
        entry["value"] = random.choice([n for n in ("0", "1", "-1", "2", "1/2", "1/10") if n != old])
        return f"the constant {old} becomes {entry['value']}"
    if args and random.random() < 0.5 and at > 0:
        k = random.randrange(len(args))
        entry["args"] = [*args[:k], first + random.randrange(at), *args[k + 1 :]]
        return f"another operand of {op}" if entry["args"] != args else None
    if len(args) == 2 and random.random() < 0.3:
        entry["args"] = args[::-1]
        return f"the operands of {op} swapped"
    others = {1: UNARY, 2: BINARY}.get(len(args))
    if others is None:
        return None
    entry["op"] = random.choice([o for o in others if o != op])
    return f"{op} becomes {entry['op']}"


# ---------------------------------------------------------------- values and slots


def change_shape(file: Json, random: Random) -> str | None:
    value = random.choice(_plan(file, random)["values"])
    at = random.randrange(2)
    old = value["shape"][at]
    value["shape"][at] = random.choice((1, "m")) if isinstance(old, str) else old + random.choice((-1, 1, 2))
    if value["shape"][at] == old:
        value["shape"][at] = 7
    return f"{value['name']} has another shape"


def transpose_shape(file: Json, random: Random) -> str | None:
    value = random.choice(_plan(file, random)["values"])
    value["shape"].reverse()
    return f"{value['name']} transposed" if value["shape"][0] != value["shape"][1] else None


def change_role(file: Json, random: Random) -> str | None:
    value = random.choice(_plan(file, random)["values"])
    value["role"] = random.choice([r for r in ROLES if r != value["role"]])
    return f"{value['name']} is a {value['role']}"


def rename_value(file: Json, random: Random) -> str | None:
    values = _plan(file, random)["values"]
    value = random.choice(values)
    name = random.choice(values)["name"]
    if name == value["name"]:
        return None
    what = f"{value['name']} is called {name}"
    value["name"] = name
    return what


def change_version(file: Json, random: Random) -> str | None:
    value = random.choice(_plan(file, random)["values"])
    value["version"] = value["version"] + 1 if random.random() < 0.5 or not value["version"] else 0
    return f"another version of {value['name']}"


def flip_packed(file: Json, random: Random) -> str | None:
    value = random.choice(_plan(file, random)["values"])
    value["packed"] = not value["packed"]
    return f"packed of {value['name']} flipped"


def wrong_slot(file: Json, random: Random) -> str | None:
    plan = _plan(file, random)
    placed = [v for v in plan["values"] if v["slot"] is not None]
    if not placed:
        return None
    value = random.choice(placed)
    value["slot"] = random.choice([*(s["number"] for s in plan["slots"] if s["number"] != value["slot"]), None])
    return f"{value['name']} in slot {value['slot']}"


def swap_slots(file: Json, random: Random) -> str | None:
    placed = [v for v in _plan(file, random)["values"] if v["slot"] is not None]
    if len(placed) < 2:
        return None
    a, b = random.sample(placed, 2)
    if a["slot"] == b["slot"]:
        return None
    a["slot"], b["slot"] = b["slot"], a["slot"]
    return f"{a['name']} and {b['name']} in each other's slots"


def wrong_alias(file: Json, random: Random) -> str | None:
    plan = _plan(file, random)
    value = random.choice(plan["values"])
    old = value["overwrites"]
    value["overwrites"] = None if old is not None and random.random() < 0.5 else random.randrange(len(plan["values"]))
    return f"{value['name']} overwrites {value['overwrites']}" if value["overwrites"] != old else None


def change_slot(file: Json, random: Random) -> str | None:
    slots = _plan(file, random)["slots"]
    if not slots:
        return None
    slot = random.choice(slots)
    kind = random.choice(("rows", "rows", "per_sample", "on", "on", "drop"))
    if kind == "rows":
        slot["rows"] += random.choice((-1, -1, 1))
    if kind == "per_sample":
        slot["per_sample"] = not slot["per_sample"]
    if kind == "on":
        slot["on"] = slot["on"][1:] if slot["on"] else [random.choice(slots)["number"]]
    if kind == "drop":
        slots.remove(slot)
    return f"{kind} of slot {slot['number']} changed"


# ---------------------------------------------------------------- what the plan says of itself, and the program


def wrong_result(file: Json, random: Random) -> str | None:
    plan = _plan(file, random)
    key = random.choice(("outputs", "gradients", "inputs", "targets", "parameters", "statistics", "state"))
    if key not in ("inputs", "targets") and random.random() < 0.1 and plan["loss"] is not None:
        plan["loss"] = random.randrange(len(plan["values"]))
        return "another loss"
    if not plan[key]:
        return None
    name = random.choice(list(plan[key]))
    old = plan[key][name]
    if random.random() < 0.3:
        del plan[key][name]
        return f"{name} is missing among {key}"
    plan[key][name] = random.randrange(len(plan["values"]))
    return f"another value for {name} among {key}" if plan[key][name] != old else None


def swap_results(file: Json, random: Random) -> str | None:
    plan = _plan(file, random)
    key = random.choice(("outputs", "gradients", "inputs", "targets", "parameters", "state"))
    if len(plan[key]) < 2:
        return None
    a, b = random.sample(list(plan[key]), 2)
    plan[key][a], plan[key][b] = plan[key][b], plan[key][a]
    return f"{a} and {b} swapped among {key}"


def change_declared(file: Json, random: Random) -> str | None:
    kind = random.choice([k for k in ("parameters", "statistics") if file[k]])
    each = random.choice(file[kind])
    if random.random() < 0.5:
        each["shape"][random.randrange(2)] += 1
        return f"another shape of {each['name']}"
    if kind == "parameters":
        each["trainable"] = not each["trainable"]
        return f"trainable of {each['name']} flipped"
    each["initial"] = None if each["initial"] is not None else "0"
    return f"{each['name']} is measured in another way"


def change_purpose(file: Json, random: Random) -> str | None:
    plan = _plan(file, random)
    if random.random() < 0.5:
        plan["training"] = not plan["training"]
        return "training flipped"
    plan["purpose"] = random.choice([p for p in ("inference", "gradients", "step") if p != plan["purpose"]])
    return f"the purpose is {plan['purpose']}"


MUTATIONS: tuple[Mutation, ...] = (
    swap_operands,
    other_operand,
    other_output,
    drop_instruction,
    repeat_instruction,
    swap_instructions,
    move_to_other_part,
    reverse_part,
    drop_accumulation,
    drop_penalty,
    flip_flag,
    other_number,
    other_stream,
    other_rows,
    rename_variables,
    other_operation,
    change_expression,
    change_expression,
    change_expression_of_plan,
    change_shape,
    transpose_shape,
    change_role,
    rename_value,
    change_version,
    flip_packed,
    wrong_slot,
    swap_slots,
    wrong_alias,
    change_slot,
    wrong_result,
    swap_results,
    change_declared,
    change_purpose,
)
