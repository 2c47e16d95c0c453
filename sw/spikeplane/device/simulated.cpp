// C interface to a Verilated device: bytes in, bytes out, cycles counted. Compiled with the
// generated model, of which it knows the class and the names of the two byte streams.
#include <cstdint>
#include <memory>

#include "verilated.h"
#include MODEL_HEADER

#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

// Quiet cycles after which a device without work is left alone.
constexpr int kSettle = 4;

struct Board {
    VerilatedContext context;
    std::unique_ptr<MODEL> top{new MODEL{&context, "device"}};
#if VM_TRACE
    VerilatedVcdC trace;
#endif
    uint64_t cycles = 0;
    uint64_t random = 0;  // xorshift state; 0: no stalls
    uint32_t stall = 0;   // of 256 cycles, how many stall a stream

    bool stalled() {
        if (!random) return false;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        return (random >> 32 & 0xff) < stall;
    }

    void settle() {
        top->clk = 0;
        top->eval();
#if VM_TRACE
        if (trace.isOpen()) trace.dump(2 * cycles);
#endif
    }

    void edge() {
        top->clk = 1;
        top->eval();
#if VM_TRACE
        if (trace.isOpen()) trace.dump(2 * cycles + 1);
#endif
        ++cycles;
    }
};

}  // namespace

extern "C" {

// Returns a board just powered up; `waves` is the file to trace to, or null.
Board* board_open(const char* waves) {
    auto* board = new Board;
    board->top->rx_valid = 0;  // as all inputs; a reset, if there is one, stays so
    board->top->tx_ready = 1;
#if VM_TRACE
    if (waves) {
        board->context.traceEverOn(true);
        board->top->trace(&board->trace, 99);
        board->trace.open(waves);
    }
#else
    (void)waves;
#endif
    board->settle();
    return board;
}

void board_close(Board* board) {
#if VM_TRACE
    board->trace.close();
#endif
    board->top->final();
    delete board;
}

uint64_t board_cycles(const Board* board) { return board->cycles; }

// Stalls both streams at random in `stall` of 256 cycles; seed 0 ends it.
void board_stall(Board* board, uint64_t seed, uint32_t stall) {
    board->random = seed;
    board->stall = stall;
}

// Gives the device `count` bytes and takes up to `room` bytes until it has taken and answered all,
// or for at most `limit` cycles. Returns how many bytes came out; `taken` is how many went in.
uint32_t board_exchange(Board* board, const uint8_t* sent, uint32_t count, uint32_t* taken,
                        uint8_t* received, uint32_t room, uint64_t limit) {
    MODEL& top = *board->top;
    uint32_t in = 0, out = 0;
    int quiet = 0;
    bool offered = false;
    for (uint64_t cycle = 0; cycle < limit && quiet < kSettle && out < room; ++cycle) {
        // An offered byte stays until it is taken.
        if (!offered) offered = in < count && !board->stalled();
        top.rx_valid = offered;
        if (offered) top.rx_payload = sent[in];
        top.tx_ready = !board->stalled();
        board->settle();
        if (top.tx_valid && top.tx_ready) received[out++] = top.tx_payload;
        quiet = in == count && top.idle && !top.tx_valid ? quiet + 1 : 0;
        if (offered && top.rx_ready) {
            ++in;
            offered = false;
        }
        board->edge();
    }
    top.rx_valid = 0;
    *taken = in;
    return out;
}

// Returns what the controller of the memory outside the chip did wrong first; 0: nothing, or there is none.
uint32_t board_violation(const Board* board) {
#ifdef VIOLATION
    return board->top->violation;
#else
    (void)board;
    return 0;
#endif
}

// Lets time pass until the core is not busy, for at most `limit` cycles; returns whether it is.
int board_rest(Board* board, uint64_t limit) {
    MODEL& top = *board->top;
    top.rx_valid = 0;
    top.tx_ready = 0;
    board->settle();
    while (top.busy && limit--) {
        board->edge();
        board->settle();
    }
    return top.busy;
}

}  // extern "C"
