"""The parts of the benchmark's runner, see ../README.md."""
