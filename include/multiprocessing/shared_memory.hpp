// Door: memory that other programs find by its name, as in Python's multiprocessing.shared_memory.
#pragma once

#include <multiprocessing/exceptions.hpp>            // what can be caught
#include <multiprocessing/shared/manager.hpp>        // SharedMemoryManager
#include <multiprocessing/shared/named.hpp>          // SharedMemory
#include <multiprocessing/shared/shareable_list.hpp> // ShareableList, ListItem
