// expect: this type doesn't travel: make it an aggregate
#include <multiprocessing/serialization.hpp>

class secret {
public:
    secret() {}

private:
    int code_ = 0;
};

void send(const std::optional<secret>& it) { (void)multiprocessing::serial::pack(it); }
