/**
 * Finding, fetching, loading and checking the native libraries: libtorch, our shim over it, and
 * bitsandbytes. Nothing here knows tensors.
 */
package dev.panatune.natives;
