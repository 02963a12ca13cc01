package dev.panatune.format;

/**
 * A tensor that is going to be written.
 *
 * @param name the tensor's name
 * @param dtype the element type
 * @param shape the dimensions, outermost first; empty for a scalar
 */
public record TensorSpec(String name, SafetensorsDtype dtype, long... shape) {}
