"""The words of the house: frozen structs and enums, no behaviour that needs I/O or a clock."""
