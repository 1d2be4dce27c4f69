"""Binance USD-M futures: the second venue's face."""
