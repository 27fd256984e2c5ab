<?php
// SPDX-License-Identifier: BSD-3-Clause
// talk.php serve|ask ADDRESS PORT: one loop of stream_select for all clients and for datagrams; facts as JSON.
[, $role, $address, $port] = $argv;

function serve(string $address, string $port): void
{
    $listener = stream_socket_server("tcp://$address:$port");
    $datagrams = stream_socket_server("udp://$address:$port", $code, $text, STREAM_SERVER_BIND);
    $clients = [];
    echo "ready\n";
    while (true) {
        $read = [$listener, $datagrams, ...$clients];
        $write = $except = null;
        stream_select($read, $write, $except, null);
        foreach ($read as $ready) {
            if ($ready === $listener) {
                $clients[] = stream_socket_accept($listener);
            } elseif ($ready === $datagrams) {
                $said = stream_socket_recvfrom($datagrams, 9000, 0, $who);
                stream_socket_sendto($datagrams, strrev($said), 0, $who);
            } else {
                $line = fgets($ready);
                if ($line === false) {
                    unset($clients[array_search($ready, $clients, true)]);
                    fclose($ready);
                } elseif (preg_match('/^give (\d+)$/', trim($line), $found)) {
                    $left = str_repeat('z', (int) $found[1]);
                    while ($left !== '') {
                        $left = substr($left, fwrite($ready, $left));
                    }
                } else {
                    fwrite($ready, strrev(trim($line)) . "\n");
                }
            }
        }
    }
}

function ask(string $address, string $port): void
{
    $clients = [];
    foreach (range(0, 9) as $i) {
        $clients[] = stream_socket_client("tcp://$address:$port");
        fwrite($clients[$i], "words $i\n");
    }
    $facts = ['heard' => array_map(fn ($c) => trim(fgets($c)), $clients)];
    fwrite($clients[0], "give 5000000\n");
    $facts['got'] = hash('sha256', stream_get_contents($clients[0], 5000000));
    stream_set_blocking($clients[1], false);
    $facts['nothing yet'] = fgets($clients[1]);
    stream_set_blocking($clients[1], true);
    stream_set_timeout($clients[1], 0, 100000);
    fread($clients[1], 10);
    $facts['timed out'] = stream_get_meta_data($clients[1])['timed_out'];
    $facts['refused'] = @stream_socket_client("tcp://$address:9", $code, $text) === false ? [$code, $text] : null;
    $datagrams = stream_socket_client("udp://$address:$port");
    foreach (range(0, 9) as $i) {
        fwrite($datagrams, "datagram $i");
        $facts['datagrams'][] = fread($datagrams, 100);
    }
    $socket = socket_create(AF_INET, SOCK_STREAM, SOL_TCP);
    socket_set_option($socket, SOL_SOCKET, SO_RCVTIMEO, ['sec' => 5, 'usec' => 0]);
    socket_connect($socket, $address, (int) $port);
    socket_write($socket, "more\n");
    $facts['socket'] = [socket_read($socket, 100, PHP_NORMAL_READ), socket_getpeername($socket, $name, $number),
                        $number === (int) $port, socket_last_error($socket)];
    stream_socket_shutdown($clients[2], STREAM_SHUT_WR);
    $facts['end'] = [fgets($clients[2]), feof($clients[2])];
    echo json_encode($facts), "\n";
}

$role === 'serve' ? serve($address, $port) : ask($address, $port);
