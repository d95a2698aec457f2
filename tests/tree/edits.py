"""Random edits of a draft and of a plain model, step by step alike."""

from __future__ import annotations

import copy
import random

from casckpt.tree.build import SlowBuilder
from casckpt.tree.draft import Draft
from casckpt.tree.edit import Edit
from casckpt.tree.fast import FastBuilder
from casckpt.tree.read import Loader
from tests.exact import same
from tests.tree.objects import NoCodec, Objects

fresh = copy.deepcopy
"""Both get their own."""


def words(rng, least=1, most=60):
    return " ".join(f"w{rng.randrange(5000)}" for _ in range(rng.randrange(least, most + 1)))


def scalar(rng):
    return rng.choice(
        [
            *(None, True, rng.randrange(-50, 300), rng.random(), words(rng)),
            *(rng.randbytes(rng.randrange(20)), words(rng, 100, 400), (1, [words(rng)])),
        ]
    )


def message(rng):
    return {"id": f"m{rng.getrandbits(32):08x}", "role": "user", "content": words(rng)}


def key(rng):
    return rng.choice([f"k{rng.randrange(3000)}", rng.randrange(300), words(rng, 1, 3)])


def value(rng, depth=0):
    roll = rng.random()
    if depth > 2 or roll < 0.5:
        return scalar(rng)
    if roll < 0.65:
        return message(rng)
    if roll < 0.8:
        return [value(rng, depth + 1) for _ in range(rng.randrange(6))]
    if roll < 0.93:
        return {key(rng): value(rng, depth + 1) for _ in range(rng.randrange(6))}
    return {words(rng, 1, 3) for _ in range(rng.randrange(5))}


def large_list(rng):
    return [message(rng) for _ in range(rng.choice([0, 3, 40, 400]))]


def large_dict(rng):
    count = rng.choice([0, 3, 100, 700])
    items = {f"k{n:04d}": words(rng, 1, 20) for n in rng.sample(range(3000), count)}
    if rng.random() < 0.4:
        items = {name: items[name] for name in sorted(items)}
    if rng.random() < 0.3:
        items |= {n: message(rng) for n in rng.sample(range(300), min(count, 100))}
    if rng.random() < 0.2:
        items |= {(1, "x"): 0, words(rng, 250, 300): 1}
    return items


def large_set(rng):
    members = {words(rng, 2, 6) for _ in range(rng.choice([0, 5, 900]))}
    if rng.random() < 0.4:
        members |= set(rng.sample(range(5000), min(len(members), 400)))
    return members | ({(1, 2)} if rng.random() < 0.2 else set())


def state(rng):
    root = {
        "messages": large_list(rng),
        "users": large_dict(rng),
        "seen": large_set(rng),
        "numbers": [rng.randrange(1000) for _ in range(rng.choice([10, 6000]))],
        "nested": {"deep": [large_list(rng), {"dict": large_dict(rng)}], "text": words(rng)},
        "log": value(rng),
    }
    roll = rng.random()
    if roll < 0.15:
        return large_list(rng)
    if roll < 0.3:
        return large_dict(rng)
    return root


# --- one step -----------------------------------------------------------------------------


def walk(rng, draft, model):
    """The same random container in both."""
    while rng.random() < 0.75:
        steps = inside(rng, model)
        if not steps:
            break
        step = rng.choice(steps)
        draft, model = draft[step], model[step]
        assert same(load(draft), model) or len(model) > 50
    return draft, model


def inside(rng, model):
    """Steps to containers; of large ones, only some are looked at."""
    if isinstance(model, list):
        near = range(len(model)) if len(model) < 30 else rng.sample(range(len(model)), 10)
        return [n for n in near if isinstance(model[n], list | dict | set)]
    if isinstance(model, dict):
        near = list(model)
        near = near if len(near) < 30 else rng.sample(near, 10)
        return [k for k in near if isinstance(model[k], list | dict | set)]
    return []


def load(part):
    return part.load() if isinstance(part, Draft) else part


def both(draft, model, action):
    """Do the same to both; what either raises or gives, the other does too."""
    given = []
    for target in (draft, model):
        try:
            given.append(plain(action(target)))
        except (IndexError, KeyError, ValueError, TypeError) as error:
            given.append(type(error).__name__)
    assert same(*given), (given, action)


def plain(item):
    if isinstance(item, Draft):
        return item.load()
    if isinstance(item, list):
        return [plain(part) for part in item]
    if isinstance(item, tuple):
        return tuple(plain(part) for part in item)
    if isinstance(item, dict):
        return {name: plain(part) for name, part in item.items()}
    return copy.deepcopy(item)


def step(rng, root, model):
    draft, model = walk(rng, root, model)
    if isinstance(model, list):
        action = list_action(rng, len(model))
    elif isinstance(model, dict):
        action = dict_action(rng, model)
    else:
        action = set_action(rng, model)
    both(draft, model, action)
    assert len(draft) == len(model)


def list_action(rng, n):
    at = rng.randrange(-2, n + 2)
    low, high = rng.randrange(-3, n + 3), rng.randrange(-3, n + 3)
    width = slice(low, min(high, low + 40)) if rng.random() < 0.8 else slice(low, high)
    stepped = slice(low, high, rng.choice([-3, -1, 2, 5]))
    new = value(rng)
    many = [value(rng) for _ in range(rng.randrange(5))]
    number = rng.randrange(2**32)
    return rng.choice(
        [
            lambda t: t.append(fresh(new)),
            lambda t: t.append(fresh(new)),
            lambda t: t.extend(fresh(many)),
            lambda t: t.insert(at, fresh(new)),
            lambda t: t.pop(at),
            lambda t: t.pop(),
            lambda t: t.__setitem__(at, fresh(new)),
            lambda t: t.__delitem__(at),
            lambda t: t.__delitem__(width),
            lambda t: t.__setitem__(width, fresh(many)),
            lambda t: t[stepped],
            lambda t: t.__delitem__(slice(low, low + 9, 2)),
            lambda t: t.__setitem__(stepped, fresh([number] * len(range(n)[stepped]))),
            lambda t: t.__iadd__(fresh(many)) and None,
            lambda t: t.reverse() if number % 7 == 0 else None,
            lambda t: t.sort(key=repr) if number % 9 == 0 and all_plain(t) else None,
            lambda t: t.clear() if number % 5 == 0 else None,
            lambda t: t.index(new),
            lambda t: moved(t, at, low),
            lambda t: t.append(again(t, at)),
        ]
    )


def all_plain(items):
    return all(isinstance(item, int | str) for item in items)


def again(items, at):
    """An item to put in a second place: a draft copies it by itself."""
    return items[at] if isinstance(items[at], Draft) else copy.deepcopy(items[at])


def moved(items, at, to):
    items.insert(to, items.pop(at))


def dict_action(rng, model):
    keys = list(model)
    if keys and rng.random() < 0.6:
        name = keys[-1] if rng.random() < 0.2 else rng.choice(keys)
        if type(name) is int and rng.random() < 0.5:
            name = float(name)
    else:
        name = key(rng)
    late = f"z{rng.randrange(10**9):09d}" if rng.random() < 0.5 else name
    new = value(rng)
    gone = rng.sample(keys, min(len(keys), rng.choice([1, 3, 30, 600])))
    more = {key(rng): value(rng) for _ in range(rng.randrange(4))}
    number = rng.randrange(100)
    return rng.choice(
        [
            lambda t: t.__setitem__(late, fresh(new)),
            lambda t: t.__setitem__(name, fresh(new)),
            lambda t: t.__setitem__(name, fresh(new)),
            lambda t: t.__delitem__(name),
            lambda t: t.pop(name),
            lambda t: t.pop(name, 7),
            lambda t: t.popitem(),
            lambda t: t.setdefault(name, fresh(new)),
            lambda t: t.update(fresh(more)),
            lambda t: t.__ior__(fresh(more)) and None,
            lambda t: t.get(name),
            lambda t: name in t,
            lambda t: [*t],
            lambda t: [t.pop(name) for name in gone] and None,
            lambda t: t.__setitem__(name, t.pop(name)),
            lambda t: t.clear() if number < 15 else None,
            lambda t: list(reversed(t)),
        ]
    )


def set_action(rng, model):
    members = sorted(model, key=repr)
    one = rng.choice(members) if members and rng.random() < 0.6 else words(rng, 1, 3)
    if type(one) is int and rng.random() < 0.3:
        one = float(one)
    some = set(rng.sample(members, min(len(members), rng.choice([1, 20, 800])))) | {one}
    more = {words(rng, 1, 4) for _ in range(rng.randrange(5))}
    return rng.choice(
        [
            lambda t: t.add(one),
            lambda t: t.discard(one),
            lambda t: t.remove(one),
            lambda t: one in t,
            lambda t: t.__ior__(more) and None,
            lambda t: t.difference_update(some),
            lambda t: t.__iand__(some - {one}) and None,
            lambda t: t.update(more),
        ]
    )


# --- a history ----------------------------------------------------------------------------


def stored(value_, codec=None):
    """A store with one state in it, and the state's root."""
    objects = Objects()
    return objects, FastBuilder(objects, codec or NoCodec()).build(value_).data


def opened(objects, root, codec=None):
    return Edit(objects, codec or NoCodec(), root)


def check_is_whole_build(objects, built, model):
    slow = Objects()
    expected = SlowBuilder(slow, NoCodec()).build(model)
    assert same(Loader(objects, NoCodec()).value(built.data), model)
    assert built.data == expected.data
    assert (built.links, built.linked) == (expected.links, expected.linked)
    assert slow.stored.items() <= objects.stored.items()


def edited(model, change):
    """The same change to a draft and to the value; both must come to the same."""
    objects, root = stored(model)
    edit = opened(objects, root)
    model = copy.deepcopy(model)
    change(edit.draft)
    change(model)
    check_is_whole_build(objects, edit.build(objects), model)
    return model


def opened_again(edit, value_):
    """The same edit, with another value under "moved"."""
    edit.draft["moved"] = value_
    return edit


def rng_of(seed):
    return random.Random(seed)
