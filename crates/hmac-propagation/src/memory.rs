//! Complete in-memory implementations of the seams: for the embedded mesh, for tests and for the simulation.
