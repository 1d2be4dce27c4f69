"""The dialect of Binance USD-M futures: bytes in, typed structs out, no socket and no clock."""
