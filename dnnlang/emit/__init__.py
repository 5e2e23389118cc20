"""Output formats, one file each: a function from a program to text."""
