// expect: an aggregate of more than 16 members
#include <multiprocessing/serialization.hpp>

struct form {
    int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p;
    int q[3];
};

void send(const form& it) { (void)multiprocessing::serial::pack(it); }
