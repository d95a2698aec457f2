"""The tree of errors and their codes are a promise: classes and codes are only ever added."""

from __future__ import annotations

import builtins
import inspect

from casckpt import errors

TREE = {
    # class: (code, bases)
    "CasckptError": ("error", ["Exception"]),
    "InvalidInputError": ("invalid-input", ["CasckptError", "ValueError"]),
    "UnsupportedValueError": ("unsupported-value", ["InvalidInputError", "TypeError"]),
    "LimitError": ("limit", ["InvalidInputError"]),
    "NotFoundError": ("not-found", ["CasckptError", "KeyError"]),
    "PrunedError": ("pruned", ["NotFoundError"]),
    "ConflictError": ("conflict", ["CasckptError"]),
    "CorruptError": ("corrupt", ["CasckptError"]),
    "StoreFileError": ("store-file", ["CasckptError"]),
    "NotAStoreError": ("not-a-store", ["StoreFileError"]),
    "FormatVersionError": ("format-version", ["StoreFileError"]),
    "StorageError": ("storage", ["CasckptError"]),
    "ClosedError": ("closed", ["CasckptError"]),
}


def test_the_tree_and_its_codes_are_fixed() -> None:
    found = {
        name: (cls.code, [base.__name__ for base in cls.__bases__])
        for name, cls in vars(errors).items()
        if inspect.isclass(cls) and issubclass(cls, errors.CasckptError)
    }
    assert found == TREE
    assert sorted(errors.__all__) == sorted(TREE)


def test_codes_name_one_class_each() -> None:
    codes = [code for code, _ in TREE.values()]
    assert len(codes) == len(set(codes))


def test_no_class_hides_a_builtin() -> None:
    assert not [name for name in TREE if hasattr(builtins, name)]


def test_the_drawing_in_the_docstring_shows_every_class() -> None:
    drawing = errors.__doc__ or ""
    assert not [name for name in TREE if name not in drawing]


def test_an_error_prints_its_message_and_carries_facts() -> None:
    """KeyError would print a repr, with quotes that nobody wrote."""
    error = errors.NotFoundError("no thread 'alice'", candidates=["alicia"])
    assert str(error) == "no thread 'alice'"
    assert error.details == {"candidates": ["alicia"]}
    assert isinstance(error, KeyError)
