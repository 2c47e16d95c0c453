// Words of a memory chip, too many to be written out with what they are at first.
module sdram_array #(parameter WIDTH = 16, parameter ADDRESS_BITS = 24) (
    input clk,
    input [ADDRESS_BITS-1:0] address,
    input write,
    input [WIDTH-1:0] write_data,
    output reg [WIDTH-1:0] read_data
);
    reg [WIDTH-1:0] words [0:(1 << ADDRESS_BITS)-1];
    always @(posedge clk) begin
        if (write) words[address] <= write_data;
        read_data <= words[address];
    end
endmodule
