"""What fixtures/pico/main.py needs of MicroPython's network, for tests: the second try joins."""
STA_IF = 0


class WLAN:
    def __init__(self, interface):
        assert interface == STA_IF
        self.tries = 0

    def active(self, on):
        assert on

    def config(self, **settings):
        if "pm" not in settings:
            raise ValueError

    def connect(self, ssid, password):
        assert ssid == "range" and password == "secret"
        self.tries += 1

    def isconnected(self):
        return self.tries > 0

    def ifconfig(self):
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")
