"""The public word, drafted from recorded facts and refused when it contradicts them."""
