// Keys, drops and focus.
