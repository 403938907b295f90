// Door: pipes and sockets between processes, as in Python's multiprocessing.connection.
#pragma once

#include <multiprocessing/channel/connection.hpp> // Connection
#include <multiprocessing/channel/pipe.hpp>       // Pipe
#include <multiprocessing/channel/wait.hpp>       // connection::wait
#include <multiprocessing/exceptions.hpp>         // what can be caught
#include <multiprocessing/net/client.hpp>         // connection::Client, deliver_challenge, answer_challenge
#include <multiprocessing/net/listener.hpp>       // connection::Listener
#include <multiprocessing/serial/object.hpp> // Object, which they carry unless told otherwise
