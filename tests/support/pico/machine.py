"""What fixtures/pico/main.py needs of MicroPython's machine, for tests: pins are files.

A file PICO_PINS/adc26 is a hit, PICO_PINS/pin14 a closed contact; each new pulse width is a line on stderr.
"""
import os
import sys


def there(name):
    return os.path.exists(os.path.join(os.environ["PICO_PINS"], name))


class Pin:
    IN, PULL_UP = 0, 1

    def __init__(self, number, mode=None, pull=None):
        self.number, self.mode, self.pull = number, mode, pull

    def value(self):
        assert self.mode == Pin.IN and self.pull == Pin.PULL_UP
        return 0 if there("pin%d" % self.number) else 1


class PWM:
    def __init__(self, pin):
        self.pin, self.hz = pin, 0

    def freq(self, hz):
        self.hz = hz

    def duty_ns(self, ns):
        print("servo %d %d Hz %d ns" % (self.pin.number, self.hz, ns), file=sys.stderr, flush=True)


class ADC:
    def __init__(self, number):
        self.number = number

    def read_u16(self):
        return 20000 if there("adc%d" % self.number) else 300
