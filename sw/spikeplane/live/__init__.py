"""Events as they come, from files, sockets and pipes, through a board, one request a time step."""
