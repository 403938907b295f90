// expect: a raw pointer doesn't travel
#include <multiprocessing/serialization.hpp>

class buffer {
public:
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(data, size);
    }

private:
    char* data = nullptr;
    std::size_t size = 0;
};

void send(const buffer& it) { (void)multiprocessing::serial::pack(it); }
