"""The one run machinery: settings, folders, storage, executors, seeds and progress."""
