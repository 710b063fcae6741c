"""What holds for all tests."""

import signal

import hypothesis

# A shell lets what it runs in the background ignore Ctrl-C, and so would every command that a test
# starts there and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow machine is no failure: no example has a deadline.
hypothesis.settings.register_profile("moodcore", deadline=None)
hypothesis.settings.load_profile("moodcore")
