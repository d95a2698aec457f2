"""The questions: each module has `add_arguments`, `run` (a document), `render`, `all_verified`."""
