"""The stand-in model: features of what is really in the input, hashed into one space. It is not Gemini."""
