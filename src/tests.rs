//! Nothing. The models of `tests/loom` compile some of the sources in this folder by their paths, and the
//! compiler then looks here for what they call `tests`. The tests of a module are in its own folder;
//! they are run with the library, and mean nothing where the threads are loom's.
