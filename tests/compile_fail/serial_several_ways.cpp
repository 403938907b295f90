// expect: this type has several of serialize
#include <multiprocessing/serialization.hpp>

class journal {
public:
    template <typename Archive>
    void serialize(Archive&) {}
    template <typename Archive>
    void save(Archive&) const {}
    template <typename Archive>
    void load(Archive&) {}
};

void send(const journal& it) { (void)multiprocessing::serial::pack(it); }
