// Door: queues between processes, as in Python's multiprocessing.queues.
#pragma once

#include <multiprocessing/channel/joinable_queue.hpp> // JoinableQueue
#include <multiprocessing/channel/queue.hpp>          // Queue
#include <multiprocessing/channel/simple_queue.hpp>   // SimpleQueue
#include <multiprocessing/exceptions.hpp>             // what can be caught
#include <multiprocessing/serial/object.hpp> // Object, which they carry unless told otherwise
