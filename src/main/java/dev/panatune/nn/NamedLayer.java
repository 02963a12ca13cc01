package dev.panatune.nn;

/** A linear layer and what its parent calls it. */
public record NamedLayer(String name, LinearLayer layer) {}
