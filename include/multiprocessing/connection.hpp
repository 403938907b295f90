// Door: pipes between processes, as in Python's multiprocessing.connection.
#pragma once

#include <multiprocessing/channel/connection.hpp> // Connection
#include <multiprocessing/channel/pipe.hpp>       // Pipe
#include <multiprocessing/channel/wait.hpp>       // connection::wait
#include <multiprocessing/exceptions.hpp>         // what can be caught
