"""From a trained trial to a bundle: conversion, parity, the test split, the folder itself."""
