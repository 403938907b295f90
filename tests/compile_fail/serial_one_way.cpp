// expect: can be saved but not loaded
#include <multiprocessing/serialization.hpp>

class journal {
public:
    template <typename Archive>
    void save(Archive& ar) const {
        ar(lines);
    }

private:
    std::vector<std::string> lines;
};

void send(const journal& it) { (void)multiprocessing::serial::pack(it); }
