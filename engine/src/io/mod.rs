//! Where the system calls are: ring, poll, files, sockets.
