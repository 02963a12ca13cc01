/**
 * The parts that a decoder is made of: a tree of modules whose paths and parameter names are those
 * of the Hugging Face model, so that adapters, checkpoints and matching rules carry over.
 */
package dev.panatune.nn;
