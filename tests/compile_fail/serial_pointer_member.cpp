// expect: a raw pointer doesn't travel
#include <multiprocessing/serialization.hpp>

struct node {
    int value;
    node* next;
};

void send(const std::vector<node>& nodes) { (void)multiprocessing::serial::pack(nodes); }
