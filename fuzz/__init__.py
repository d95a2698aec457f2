"""Coverage-guided fuzzing of every reader of bytes: `python -m fuzz TARGET --seconds 60`.

A target is a function of bytes that returns, whatever they are: what a reader must refuse it
refuses with a documented error, and what it accepts obeys the laws that the target states.
`fuzz/failed/TARGET` keeps the inputs that once failed; `tests/fuzz` replays these and the seeds.
"""
