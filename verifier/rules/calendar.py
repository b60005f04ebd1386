"""Days, months and years of the proleptic Gregorian calendar, for all times that a log can name."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=4096)
def civil_month(day: int) -> tuple[int, int]:
    """Year and month (1 to 12) of a day, counted from 1970-01-01, in the proleptic Gregorian calendar; for all days, those
    beyond the year 9999 too."""
    shifted = day + 719_468  # days since 0000-03-01, so that a leap day is the last of its year
    era, of_era = divmod(shifted, 146_097)
    year_of_era = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * of_year + 2) // 153
    year = year_of_era + 400 * era
    return (year, month + 3) if month < 10 else (year + 1, month - 9)


def first_day(months: int) -> int:
    """The day (counted from 1970-01-01) that a month begins with; `months` = 12·year + month - 1."""
    year, month = divmod(months, 12)
    year, of_year = (year, month - 2) if month >= 2 else (year - 1, month + 10)  # a year that begins in March
    days = 365 * year + year // 4 - year // 100 + year // 400
    return days + (153 * of_year + 2) // 5 - 719_468
