"""The parts of the sample handbook: pictures, sounds, a film and the documents that hold them."""
