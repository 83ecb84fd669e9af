"""The project's own benchmark: Pronghorn, its peers and a C floor, measured in turns (README.md)."""
